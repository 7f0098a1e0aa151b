%%% @doc The tree as a service browser shows it (XEP-0030): what each node is, and its rows.
%%%
%%% Identities have no name: some browsers write it over the name of the row.
-module(twitter_disco).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([info/2, items/3]).

%% @doc What a node is.
-spec info(twitter_reader:reader(), twitter_nif:node_term()) -> #disco_info{}.
info(Reader, Node) ->
    Form = #xdata{type = result, fields = pubsub_meta_data:encode(meta(Reader, Node))},
    #disco_info{identities = [#identity{category = <<"pubsub">>, type = type(Node)}],
                features = [?NS_DISCO_INFO, ?NS_DISCO_ITEMS, ?NS_PUBSUB | features(Node)],
                xdata = [Form]}.

type(root) -> <<"collection">>;
type(my_friends) -> <<"collection">>;
type(_) -> <<"leaf">>.

features({stream, mine}) ->
    [?NS_RSM | [pubsub(F) || F <- [<<"retrieve-items">>, <<"publish">>, <<"item-ids">>,
                                   <<"retract-items">>, <<"purge-nodes">>]]];
features({stream, _}) ->
    [?NS_RSM, pubsub(<<"retrieve-items">>)];
features({post, _}) ->
    [pubsub(<<"retrieve-items">>)];
features(_Collection) ->
    [].

pubsub(Feature) -> <<?NS_PUBSUB/binary, "#", Feature/binary>>.

meta(Reader, {post, {Stream, _}} = Node) ->
    #{host := Host, lang := Lang} = Reader,
    {Author, Id} = twitter_reader:find(Reader, Node),
    case twitter_store:post(Host, Author, Id) of
        {ok, #{at := At, payload := Payload} = Post} ->
            [{title, row_name(names(Reader, Stream), Post)},
             {description, twitter_post:text(Payload)},
             {owner, [jid:decode(Author)]},
             {publisher, [jid:decode(Author)]},
             {creation_date, At}];
        none ->
            twitter_error:refuse(not_found, Lang)
    end;
meta(#{lang := Lang} = Reader, Node) ->
    {Title, Description} = title(Reader, Node),
    [{title, Title}, {description, translate:translate(Lang, Description)} | owner(Reader, Node)].

owner(#{jid := Self}, {stream, mine}) -> [{owner, [Self]}, {publisher, [Self]}];
owner(_Reader, {stream, {friend, Friend}}) ->
    [{owner, [jid:decode(Friend)]}, {publisher, [jid:decode(Friend)]}];
owner(_Reader, _Node) -> [].

title(_Reader, root) ->
    {<<"Twitter">>, ?T("Your posts and those of the contacts whose presence you see")};
title(_Reader, {stream, mine}) ->
    {<<"MyStream">>, ?T("Your posts: publish here")};
title(_Reader, {stream, friends}) ->
    {<<"FriendsStream">>, ?T("The posts of all your friends")};
title(_Reader, my_friends) ->
    {<<"MyFriends">>, ?T("Your friends, each with his posts")};
title(Reader, {stream, {friend, Friend}}) ->
    {name(names(Reader, friends), Friend), ?T("The posts of this friend")}.

%% @doc The rows below a node: of a stream its newest posts, newest first, so that a person reads
%% posts, not ids. A post has no rows.
-spec items(twitter_reader:reader(), twitter_nif:node_term(), undefined | rsm_set()) ->
          #disco_items{}.
items(Reader, root, _Rsm) ->
    Nodes = [{stream, mine}, {stream, friends}, my_friends],
    #disco_items{items = [row(Reader, Node, element(1, title(Reader, Node))) || Node <- Nodes]};
items(Reader, my_friends, _Rsm) ->
    #disco_items{items = [row(Reader, {stream, {friend, Friend}}, Name)
                          || {Friend, Name} <- twitter_reader:friends(Reader)]};
items(#{lang := Lang} = Reader, {stream, Stream}, Rsm) ->
    Names = names(Reader, Stream),
    Request = twitter_rsm:request(newest_first, Rsm, {first_page, undefined}, Lang),
    Show = fun(#{id := Id} = Post) ->
                   row(Reader, {post, {Stream, Id}}, row_name(Names, Post))
           end,
    {Rows, Page} = twitter_items:page(Reader, Stream, Request, Show),
    #disco_items{items = Rows, rsm = rsm(Rsm, Page)};
items(_Reader, {post, _}, _Rsm) ->
    #disco_items{}.

row(#{host := Host}, Node, Name) ->
    #disco_item{jid = jid:make(Host), node = twitter_path:id(Node), name = Name}.

%% Where posts of several people stand, each says whose it is.
row_name(none, #{payload := Payload}) ->
    twitter_post:title(Payload);
row_name(Names, #{author := Author, payload := Payload}) ->
    <<(name(Names, Author))/binary, ": ", (twitter_post:title(Payload))/binary>>.

names(Reader, friends) -> maps:from_list(twitter_reader:friends(Reader));
names(_Reader, _Stream) -> none.

name(Names, Author) -> maps:get(Author, Names, Author).

rsm(undefined, _Page) -> undefined;
rsm(_, Page) -> twitter_rsm:answer(Page).
