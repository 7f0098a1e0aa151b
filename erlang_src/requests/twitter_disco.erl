%%% @doc The tree as a service browser shows it (XEP-0030): what each node is, and its rows.
%%%
%%% Identities have no name: some browsers write it over the name of the row.
-module(twitter_disco).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([info/1, items/2]).

%% @doc What a node is.
-spec info(twitter_view:view()) -> #disco_info{}.
info(#{node := Node, reader := Reader} = View) ->
    Form = #xdata{type = result, fields = pubsub_meta_data:encode(meta(View))},
    #disco_info{identities = [#identity{category = <<"pubsub">>, type = type(Node)}],
                features = [?NS_DISCO_INFO, ?NS_DISCO_ITEMS, ?NS_PUBSUB | features(Node, Reader)]
                    ++ [?NS_COMMANDS || twitter_adhoc:is_executable(View)],
                xdata = [Form]}.

type(root) -> <<"collection">>;
type(my_friends) -> <<"collection">>;
type(_) -> <<"leaf">>.

features({stream, mine}, Reader) ->
    Writing = case twitter_reader:is_at_home(Reader) of
                  true -> [<<"publish">>, <<"item-ids">>, <<"retract-items">>, <<"purge-nodes">>];
                  false -> []
              end,
    [?NS_RSM | [pubsub(Feature) || Feature <- [<<"retrieve-items">> | Writing]]];
features({stream, _}, _Reader) ->
    [?NS_RSM, pubsub(<<"retrieve-items">>)];
features({post, _}, _Reader) ->
    [pubsub(<<"retrieve-items">>)];
features(_Collection, _Reader) ->
    [].

pubsub(Feature) -> <<?NS_PUBSUB/binary, "#", Feature/binary>>.

meta(#{reader := #{service := Service, lang := Lang} = Reader, post := Named} = View) ->
    case twitter_index:read(Service, twitter_reader:local_name(Reader), [Named]) of
        [{_Bytes, #{author := Author, at := At, payload := Payload} = Post}] ->
            [{title, row_name(View, Post)},
             {description, twitter_post:text(Payload)},
             {creation_date, At} | people(Author)];
        [gone] ->
            twitter_error:refuse(not_found, Lang)
    end;
meta(#{node := Node, reader := #{lang := Lang}} = View) ->
    [{title, title(View, Node)}, {description, translate:translate(Lang, description(Node))}
     | owner(View)].

owner(#{node := {stream, friends}}) -> [];
owner(#{node := {stream, _}, authors := [Author]}) -> people(Author);
owner(_Collection) -> [].

people(Author) ->
    Jid = jid:decode(Author),
    [{owner, [Jid]}, {publisher, [Jid]}].

title(_View, root) -> <<"Twitter">>;
title(_View, my_friends) -> <<"MyFriends">>;
title(_View, {stream, mine}) -> <<"MyStream">>;
title(#{reader := Reader}, {stream, friends}) -> friends_stream(Reader);
title(#{friends := Friends}, {stream, {friend, Friend}}) -> name(Friends, Friend).

%% With how many posts he has not read.
friends_stream(#{lang := Lang} = Reader) ->
    case twitter_unread:count(Reader) of
        0 -> <<"FriendsStream">>;
        Count -> <<"FriendsStream (", (str:translate_and_format(Lang, ?T("~b new"), [Count]))/binary, ")">>
    end.

description(root) -> ?T("Your posts and those of the contacts whose presence you see");
description(my_friends) -> ?T("Your friends, each with his posts");
description({stream, mine}) -> ?T("Your posts: publish here");
description({stream, friends}) -> ?T("The posts of all your friends");
description({stream, {friend, _}}) -> ?T("The posts of this friend").

%% @doc The rows below a node: of a stream its newest posts, newest first, so that a person reads
%% posts, not ids. A post has no rows.
-spec items(twitter_view:view(), undefined | rsm_set()) -> #disco_items{}.
items(#{node := root} = View, _Rsm) ->
    Nodes = [{stream, mine}, {stream, friends}, my_friends],
    #disco_items{items = [row(View, Node, title(View, Node)) || Node <- Nodes]};
items(#{node := my_friends, friends := Friends} = View, _Rsm) ->
    #disco_items{items = [row(View, {stream, {friend, Friend}}, Name)
                          || {Friend, Name} <- Friends]};
items(#{node := {stream, Stream}, reader := #{lang := Lang}} = View, Rsm) ->
    Request = twitter_rsm:request(newest_first, Rsm, {first_page, undefined}, Lang),
    Show = fun(#{id := Id} = Post) -> row(View, {post, {Stream, Id}}, row_name(View, Post)) end,
    {Rows, Page} = twitter_items:page(View, Request, Show),
    #disco_items{items = Rows, rsm = twitter_rsm:answer(Rsm, Page)};
items(#{node := {post, _}}, _Rsm) ->
    #disco_items{}.

row(#{reader := #{service := #{host := Host}}}, Node, Name) ->
    #disco_item{jid = jid:make(Host), node = twitter_path:id(Node), name = Name}.

%% Where posts of several people stand, each says whose it is.
row_name(#{node := Node, friends := Friends}, #{author := Author, payload := Payload}) ->
    Title = twitter_post:title(Payload),
    case Node of
        {stream, friends} -> <<(name(Friends, Author))/binary, ": ", Title/binary>>;
        {post, {friends, _}} -> <<(name(Friends, Author))/binary, ": ", Title/binary>>;
        _ -> Title
    end.

name(Friends, Author) ->
    {Author, Name} = lists:keyfind(Author, 1, Friends),
    Name.
