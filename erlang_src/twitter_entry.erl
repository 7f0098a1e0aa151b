%%% @doc Atom entries for those who write without a client for feeds: what XEP-0277 and XEP-0472 ask
%%% for, with the text as the title.
-module(twitter_entry).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/4, renewed/5, is_plain/1]).

-define(NS_ATOM, <<"http://www.w3.org/2005/Atom">>).

%% @doc An entry by `Author', first published and last changed at these moments.
-spec new(Author :: jid:jid(), Id :: binary(), Text :: binary(),
          {Published :: erlang:timestamp(), Updated :: erlang:timestamp()}) -> xmlel().
new(#jid{lserver = Domain} = Author, Id, Text, {Published, Updated}) ->
    Jid = jid:encode(Author),
    <<Day:10/binary, _/binary>> = First = moment(Published),
    #xmlel{name = <<"entry">>, attrs = [{<<"xmlns">>, ?NS_ATOM}],
           children = [#xmlel{name = <<"title">>, attrs = [{<<"type">>, <<"text">>}],
                              children = [{xmlcdata, Text}]},
                       %% RFC 4151: unique for ever, whatever becomes of the domain.
                       leaf(<<"id">>, <<"tag:", Domain/binary, ",", Day/binary, ":", Jid/binary, "/", Id/binary>>),
                       leaf(<<"published">>, First),
                       leaf(<<"updated">>, moment(Updated)),
                       #xmlel{name = <<"author">>,
                              children = [leaf(<<"name">>, Author#jid.user),
                                          leaf(<<"uri">>, <<"xmpp:", Jid/binary>>)]}]}.

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
        [#xmlel{name = <<"entry">>, children = Children}] ->
            [<<"title">>, <<"id">>, <<"published">>, <<"updated">>, <<"author">>]
                =:= [Name || #xmlel{name = Name} <- Children];
        [#xmlel{}] ->
            false;
        _ ->
            true
    end.

leaf(Name, Text) ->
    #xmlel{name = Name, children = [{xmlcdata, Text}]}.

%% RFC 3339, in UTC.
moment(Time) ->
    xmpp_util:encode_timestamp(Time).
