%%% @doc Atom entries for those who write without a client for feeds, as RFC 4287, XEP-0277 and XEP-0472 ask
%%% for them: a line is the title; a text of several lines is the content, and in one line the title.
-module(twitter_entry).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/4, renewed/5, is_plain/1, is_blank/1]).

-define(NS_ATOM, <<"http://www.w3.org/2005/Atom">>).
%% All that an entry consists of here.
-define(ELEMENTS, [<<"title">>, <<"content">>, <<"link">>, <<"id">>, <<"published">>, <<"updated">>, <<"author">>]).

%% @doc An entry by `Author', first published and last changed at these moments. What XML cannot carry in the
%% text is left out.
-spec new(Author :: jid:jid(), Id :: binary(), Text :: binary(),
          {Published :: erlang:timestamp(), Updated :: erlang:timestamp()}) -> xmlel().
new(#jid{user = User, lserver = Domain} = Author, Id, Text, {Published, Updated}) ->
    <<Day:10/binary, _/binary>> = First = moment(Published),
    Address = address(Author),
    #xmlel{name = <<"entry">>, attrs = [{<<"xmlns">>, ?NS_ATOM}],
           children = words(legible(Text), link_to(Author, Id))
               ++ [%% RFC 4151: unique for ever, whatever becomes of the domain.
                   leaf(<<"id">>, <<"tag:", Domain/binary, ",", Day/binary, ":", Address/binary, "/", (quote(Id))/binary>>),
                   leaf(<<"published">>, First),
                   leaf(<<"updated">>, moment(Updated)),
                   #xmlel{name = <<"author">>,
                          children = [leaf(<<"name">>, User), leaf(<<"uri">>, <<"xmpp:", Address/binary>>)]}]}.

%% An entry has a content, or a link to where it is found (RFC 4287, section 4.1.2).
words(Text, Link) ->
    case binary:match(Text, <<"\n">>) of
        nomatch when Link =/= [] -> [plain(<<"title">>, Text) | Link];
        _ -> [plain(<<"title">>, twitter_nif:title({text, Text})), plain(<<"content">>, Text) | Link]
    end.

%% Where his friends read it (XEP-0060, section 12.21), if there is one such place.
link_to(#jid{lserver = Domain} = Author, Id) ->
    case twitter_service:all(Domain) of
        [#{host := Host}] ->
            Node = twitter_path:id({stream, {friend, jid:encode(jid:remove_resource(jid:tolower(Author)))}}),
            Uri = <<"xmpp:", Host/binary, "?;node=", (quote(Node))/binary, ";item=", (quote(Id))/binary>>,
            [#xmlel{name = <<"link">>, attrs = [{<<"rel">>, <<"alternate">>}, {<<"href">>, Uri}]}];
        _ ->
            []
    end.

%% As it stands in a URI (RFC 5122).
address(#jid{user = User, server = Server}) ->
    <<(quote(User))/binary, "@", Server/binary>>.

quote(Text) ->
    uri_string:quote(Text).

%% @doc The entry for another text of a post that was first published at this moment: what was an entry
%% before keeps its id and says as before when it was published.
-spec renewed(Stored :: [xmlel()], Author :: jid:jid(), Id :: binary(), Text :: binary(),
              {Published :: erlang:timestamp(), Updated :: erlang:timestamp()}) -> xmlel().
renewed(Stored, Author, Id, Text, Times) ->
    #xmlel{children = Children} = Entry = new(Author, Id, Text, Times),
    case twitter_post:unwrap(Stored) of
        [#xmlel{name = <<"entry">>} = Old] ->
            Entry#xmlel{children = [kept(Child, fxml:get_subtag_cdata(Old, Name))
                                    || #xmlel{name = Name} = Child <- Children]};
        _ ->
            Entry
    end.

kept(#xmlel{name = Name}, Text) when Text =/= <<>>, Name =:= <<"id">> orelse Name =:= <<"published">> ->
    leaf(Name, Text);
kept(Child, _Text) ->
    Child.

%% @doc Whether a stored payload says no more than a text does: bare text, or an entry as they are made here.
-spec is_plain([xmlel()]) -> boolean().
is_plain(Payload) ->
    case twitter_post:unwrap(Payload) of
        [#xmlel{name = <<"entry">>, children = Children}] -> lists:all(fun is_ours/1, Children);
        [#xmlel{}] -> false;
        _ -> true
    end.

is_ours(#xmlel{name = <<"link">>} = Link) ->
    fxml:get_tag_attr_s(<<"rel">>, Link) =:= <<"alternate">>;
is_ours(#xmlel{name = Name} = El) when Name =:= <<"title">>; Name =:= <<"content">> ->
    lists:member(fxml:get_tag_attr_s(<<"type">>, El), [<<>>, <<"text">>]);
is_ours(#xmlel{name = Name}) ->
    lists:member(Name, ?ELEMENTS);
is_ours(_Space) ->
    true.

%% @doc Whether a text shows nothing, and so makes no entry.
-spec is_blank(Text :: binary()) -> boolean().
is_blank(Text) ->
    twitter_nif:title({text, legible(Text)}) =:= <<>>.

plain(Name, Text) ->
    #xmlel{name = Name, attrs = [{<<"type">>, <<"text">>}], children = [{xmlcdata, Text}]}.

leaf(Name, Text) ->
    #xmlel{name = Name, children = [{xmlcdata, Text}]}.

%% RFC 3339, in UTC.
moment(Time) ->
    xmpp_util:encode_timestamp(Time).

%% With line feeds only, and between characters; and without those that would end the stream of whoever gets them.
legible(Text) ->
    Lines = binary:replace(binary:replace(Text, <<"\r\n">>, <<"\n">>, [global]), <<"\r">>, <<"\n">>, [global]),
    string:trim(<< <<C/utf8>> || C <- characters(Lines), is_xml(C) >>, both, "\n").

characters(<<C/utf8, Rest/binary>>) -> [C | characters(Rest)];
characters(<<_, Rest/binary>>) -> [16#FFFD | characters(Rest)];
characters(<<>>) -> [].

is_xml(C) ->
    C >= 16#20 andalso C =/= 16#FFFE andalso C =/= 16#FFFF orelse C =:= $\n orelse C =:= $\t.
